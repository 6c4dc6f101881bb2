"""A websocket client (Python's websockets) that does what its standard input
says; see program_test.go for the requests and replies."""

import asyncio
import json
import sys

import websockets

try:  # 13 and later
    from websockets.asyncio.client import connect

    HEADERS = "additional_headers"
except ImportError:
    from websockets import connect

    HEADERS = "extra_headers"

connections = {}


async def do_connect(request):
    options = {
        HEADERS: request.get("headers"),
        "subprotocols": request.get("subprotocols"),
        "compression": "deflate" if request.get("compress") else None,
        "ping_interval": None,
    }
    try:
        ws = await connect(request["url"], **options)
    except websockets.InvalidHandshake as error:
        response = getattr(error, "response", None)
        return {"status": getattr(error, "status_code", None) or response.status_code}
    connections[request["conn"]] = ws
    extensions = getattr(ws, "extensions", None) or getattr(ws, "protocol", ws).extensions
    return {
        "subprotocol": ws.subprotocol or "",
        "extensions": ", ".join(extension.name for extension in extensions),
    }


async def do_send(request):
    parts = request["parts"]
    await connections[request["conn"]].send(parts[0] if len(parts) == 1 else parts)
    return {}


async def do_sendBinary(request):
    await connections[request["conn"]].send(bytes.fromhex(request["binary"]))
    return {}


async def do_ping(request):
    await (await connections[request["conn"]].ping(request["text"]))
    return {"text": request["text"]}  # answered with the same payload, or never


async def do_next(request):
    try:
        message = await connections[request["conn"]].recv()
    except websockets.ConnectionClosed as closed:
        if closed.rcvd is None:
            return {"closed": True, "code": 1006, "reason": ""}
        return {"closed": True, "code": closed.rcvd.code, "reason": closed.rcvd.reason}
    if isinstance(message, bytes):
        return {"binary": message.hex()}
    return {"text": message}


async def do_close(request):
    await connections[request["conn"]].close(request["code"], request["reason"])
    return {}


async def main():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        reply = await globals()["do_" + request["do"]](request)
        print(json.dumps(reply), flush=True)


asyncio.run(main())
