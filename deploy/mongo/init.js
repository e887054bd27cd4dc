// Runs once beside the first member: the replica set, then one user per service, each on its own database alone.
const fs = require("fs");

const members = ["mongo-1", "mongo-2", "mongo-3"];
try {
  rs.status();
} catch (_) {
  rs.initiate({ _id: "konullu", members: members.map((host, n) => ({ _id: n, host: `${host}:27017` })) });
}
while (!db.hello().isWritablePrimary) {
  sleep(500);
}

const passwords = JSON.parse(fs.readFileSync("/run/secrets/mongo_users.json", "utf8"));
const admin = db.getSiblingDB("admin");
for (const [name, pwd] of Object.entries(passwords)) {
  const roles = [{ role: "readWrite", db: name }];
  if (admin.getUser(name)) {
    admin.updateUser(name, { pwd, roles });
  } else {
    admin.createUser({ user: name, pwd, roles });
  }
}
