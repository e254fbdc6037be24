import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IdentityClientOptions } from '../src/identity-client.ts';
import { controlPlane, join, web, webId, type TestClient, type TestControlPlane } from './control-plane.ts';

describe('a workload that claims other labels than when it joined', () => {
  let stateDir = '';
  let plane: TestControlPlane;
  let asked = 0;
  const opened: TestClient[] = [];
  beforeEach(async () => {
    stateDir = mkdtempSync(joinPath(tmpdir(), 'tulle-relabel-'));
    plane = await controlPlane();
    asked = 0;
  });
  afterEach(async () => {
    for (const client of opened.splice(0)) await client.close();
    await plane.close();
    rmSync(stateDir, { recursive: true });
  });

  /** Starts it, and ends it when it is ready; with a token for what it claims, unless another is given. */
  const run = async (
    version: string,
    more: Partial<IdentityClientOptions> = {},
  ): Promise<{ serial: string | undefined; told: string[] }> => {
    const labels = { app: 'web', version };
    const client = await join(plane, {
      stateDir,
      labels,
      joinToken: async () => {
        asked += 1;
        return (await plane.ca.createJoinToken({ ...web, labels })).token;
      },
      ...more,
    });
    opened.push(client);
    await client.ready();
    const serial = client.current()?.svid.serial;
    await client.close();
    return { serial, told: client.events.map(({ kind }) => kind) };
  };

  it('joins anew with a token for them before it is ready, once', async () => {
    const first = await run('v1');
    expect((await run('v1')).serial).toBe(first.serial);
    expect(asked).toBe(1);
    const second = await run('v2');
    expect(second.serial).not.toBe(first.serial);
    expect(plane.ca.grantedLabels(webId)).toEqual({ app: ['web'], version: ['v2'] });
    expect(plane.ca.status().holders).toBe(1); // it is the same instance
    expect((await run('v2')).serial).toBe(second.serial);
    expect(asked).toBe(2);
  });

  it('goes on with what it has, and says so, where it gets none', async () => {
    await run('v1');
    const { told } = await run('v2', { joinToken: undefined });
    expect(told).toContain('labels-not-granted');
    expect(plane.ca.grantedLabels(webId)).toEqual({ app: ['web'], version: ['v1'] });
    await run('v2'); // and takes the next chance
    expect(plane.ca.grantedLabels(webId)).toEqual({ app: ['web'], version: ['v2'] });
  });

  it('starts while the CA is away', async () => {
    const { serial } = await run('v1');
    const { port } = plane.grpc;
    await plane.close();
    const offline = await run('v2', { address: `127.0.0.1:${port}`, joinToken: 'tulle-join-1.a.b.c' });
    expect(offline.serial).toBe(serial);
    plane = await controlPlane();
  });
});
