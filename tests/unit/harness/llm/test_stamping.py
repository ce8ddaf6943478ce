"""The stamp of a prompt's last byte, over a real connection."""

import asyncio

from aiohttp import web

from curserve_harness.llm.stamping import StampingServer, connection_of, read_body


def test_the_stamp_is_of_the_last_byte_read_and_not_of_aiohttp_going_on():
    stamps = []

    async def handle(request):
        _, read_ns = await read_body(request)
        connection = connection_of(request)
        connection.data_received(b"")  # as aiohttp does when it goes on with what it holds
        stamps.append((read_ns, connection.read_ns))
        return web.Response()

    async def exchange():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(StampingServer(handle), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhel")
            await asyncio.sleep(0.01)
            writer.write(b"lo")
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        server.close()

    asyncio.run(exchange())
    assert [one == two for one, two in stamps] == [True, True]
    assert stamps[0][0] < stamps[1][0]
