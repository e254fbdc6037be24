import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { testIo } from '../../tests/test-io.ts';
import { command } from './mtls-enforce.ts';

// Somebody changes the policy between its reading and its writing.
it('applies to the version that it read, and to no other', async () => {
  const asked: string[] = [];
  const answers: Readonly<Record<string, [status: number, body: object]>> = {
    '/api/v1/mtls': [
      200,
      {
        ports: [
          {
            workload: 'web',
            namespace: 'default',
            port: 8080,
            mode: 'PERMISSIVE',
            policy: 'default/move',
            clients: [],
            others: 0,
          },
        ],
      },
    ],
    '/api/v1/resources/PeerAuthentication/default/move': [
      200,
      { owner: 'rest', version: 'v7', resource: { spec: { mtls: { mode: 'PERMISSIVE' } } } },
    ],
    '/api/v1/apply?ifVersion=PeerAuthentication/default/move@v7': [
      412,
      { status: 412, code: 'TULLE_API_CHANGED', detail: 'changed meanwhile', hint: 'read it again' },
    ],
  };
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const [status, body] = answers[request.url ?? ''] ?? [200, {}];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const io = testIo('/', '', { TULLE_STATE_DIR: '/nowhere', HOME: '/nowhere' });
    const run = async (): Promise<unknown> =>
      command.run({
        io,
        options: { api: `http://:secret@127.0.0.1:${(server.address() as AddressInfo).port}` },
        args: [],
        rest: [],
        signal: new AbortController().signal,
        commands: [],
      });
    await expect(run()).rejects.toThrow('changed meanwhile');
    expect(asked).toEqual(Object.keys(answers));
    expect(io.written).toEqual({ out: '', err: '' });
  } finally {
    server.close();
  }
});
