"""What the accepting path is measured against: a plain FastAPI and Motor handler, one majority insert per request.

Its database is named by the very URL that the service under measurement uses, options included.
"""

import os
import sys
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient

app = FastAPI()
client = AsyncIOMotorClient[dict[str, Any]](os.environ["PLAIN_MONGO_URL"], w="majority", journal=True)
collection = client["bench"]["plain"]


@app.post("/v1/submissions", status_code=202)
async def accept(body: dict[str, Any]) -> dict[str, str]:
    identifier = uuid4().hex
    await collection.insert_one({"_id": identifier, **body})
    return {"submission_id": identifier}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
