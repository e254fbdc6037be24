import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveIdentity } from '../src/serve-identity.ts';
import { agentBench, type AgentBench } from './bench.ts';

let bench: AgentBench;
beforeEach(async () => {
  bench = await agentBench();
});
afterEach(() => bench.close());
const serve = (path: string): ReturnType<typeof serveIdentity> =>
  serveIdentity({ identity: bench.identity, path });

describe("the agent's socket", () => {
  it('is for its user alone, and is gone when the agent ends', async () => {
    const path = join(bench.directory, 'other.sock');
    const server = await serve(path);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    await server.close();
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('takes the place of one that a killed process left, and no other', async () => {
    const path = join(bench.directory, 'left.sock');
    const killed = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', killed]);
    expect(statSync(path).isSocket()).toBe(true);
    await (await serve(path)).close();
    await expect(serve(bench.server.path)).rejects.toThrow(/another process listens on .*sds\.sock/);
    const file = join(bench.directory, 'file');
    writeFileSync(file, 'mine');
    await expect(serve(file)).rejects.toThrow(/exists and is no socket/);
    await expect(serve(join(bench.directory, 'x'.repeat(108)))).rejects.toThrow(/longer than the 107 bytes/);
  });
});
