import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { startControlPlane, type RunningControlPlane } from '../src/index.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'tulle-control-plane-'));
let running: RunningControlPlane | undefined;
afterEach(async () => {
  await running?.close();
  rmSync(stateDir, { recursive: true, force: true });
});

it('starts, can be found, applies, makes tokens, keeps what it knew over a restart, and cleans up', async () => {
  running = await startControlPlane({ stateDir });
  const file = join(stateDir, 'control-plane.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(running.endpoints);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { api, rootPin } = running.endpoints;
  const body = 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { ports: [{ port: 80 }] }';
  expect(
    (
      await fetch(`${api}/api/v1/apply`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/yaml' },
      })
    ).status,
  ).toBe(200);
  const token = await fetch(`${api}/api/v1/join-tokens`, {
    method: 'POST',
    body: JSON.stringify({ namespace: 'default', serviceAccount: 'web' }),
  });
  expect(await token.text()).toContain('tulle-join-1.');
  expect(await (await fetch(`${api}/metrics`)).text()).toContain('# TYPE');
  await running.close();
  expect(existsSync(file)).toBe(false);
  running = await startControlPlane({ stateDir });
  expect(running.endpoints.rootPin).toBe(rootPin);
  expect(running.controlPlane.resource('Service/default/a')).toBeDefined();
});
