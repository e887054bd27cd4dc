"""What the accepting path is measured against: a plain FastAPI and Motor handler, one majority insert per request."""

import sys
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from motor.motor_asyncio import AsyncIOMotorClient

app = FastAPI()
collection = AsyncIOMotorClient[dict[str, Any]](sys.argv[2], w="majority", journal=True)["bench"]["plain"]


@app.post("/v1/submissions", status_code=202)
async def accept(body: dict[str, Any]) -> dict[str, str]:
    identifier = uuid4().hex
    await collection.insert_one({"_id": identifier, **body})
    return {"submission_id": identifier}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
