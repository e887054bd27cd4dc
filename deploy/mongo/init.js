// Runs once beside the first member: the replica set, then one user per service, each on its own database
// alone.
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

// Checkpoints over the audit are written once: their service may add and read them, and change or remove none. A role
// cannot take a right away again, so moderation's names every collection that it has.
const WRITTEN_ONCE = { moderation: ["seals"] };
const WRITTEN = { moderation: ["cases", "country_lanes", "epochs", "failures", "lanes", "marks", "recalls", "retention"] };
const ONCE = ["createCollection", "find", "insert"];
const FREELY = [...ONCE, "createIndex", "listIndexes", "remove", "update"];

function rolesOf(name) {
  if (!(name in WRITTEN_ONCE)) {
    return [{ role: "readWrite", db: name }];
  }
  const privileges = [
    ...WRITTEN_ONCE[name].map((collection) => ({ resource: { db: name, collection }, actions: ONCE })),
    ...WRITTEN[name].map((collection) => ({ resource: { db: name, collection }, actions: FREELY })),
  ];
  const own = db.getSiblingDB(name);
  if (own.getRole("service")) {
    own.updateRole("service", { privileges, roles: [] });
  } else {
    own.createRole({ role: "service", privileges, roles: [] });
  }
  return [{ role: "service", db: name }];
}

const passwords = JSON.parse(fs.readFileSync("/run/secrets/mongo_users.json", "utf8"));
const admin = db.getSiblingDB("admin");
for (const [name, pwd] of Object.entries(passwords)) {
  const roles = rolesOf(name);
  if (admin.getUser(name)) {
    admin.updateUser(name, { pwd, roles });
  } else {
    admin.createUser({ user: name, pwd, roles });
  }
}
