"""The floor: the same number of requests through one bare httpx client, and nothing else."""

from __future__ import annotations

import sys

import httpx

from bench.peers.measuring import KEY, MODEL, SYSTEM, TASK, TASKS, at_once, each, serve

BODY = {
    "model": MODEL,
    "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}],
}


def main(url: str) -> None:
    client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
    waiting = httpx.AsyncClient(base_url=url, headers=client.headers, timeout=60)

    def ask(times: int = 1) -> None:
        for _ in range(times):
            client.post("/chat/completions", json=BODY).raise_for_status().json()

    async def ask_at_once() -> None:
        (await waiting.post("/chat/completions", json=BODY)).raise_for_status().json()

    serve(
        {
            "one_task": each(ask),
            "ten_tasks": each(lambda: ask(TASKS)),
            "tool_call": each(lambda: ask(2)),
            "fresh": each(ask),
            "at_once": at_once(ask_at_once),
        },
        packages=("httpx",),
        durability="none",
    )


if __name__ == "__main__":
    main(sys.argv[1])
