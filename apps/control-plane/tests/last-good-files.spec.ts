import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startControlPlane, type RunningControlPlane } from '../src/index.ts';

let root = '';
let running: RunningControlPlane | undefined;
const warnings: string[] = [];
const quiet = (): void => {};
const log = { debug: quiet, info: quiet, warn: (text: string) => void warnings.push(text), error: quiet };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tulle-files-'));
  mkdirSync(join(root, 'mesh'));
  warnings.length = 0;
});
afterEach(async () => {
  await running?.close();
  running = undefined;
  rmSync(root, { recursive: true, force: true });
});

const file = (name: string): string => join(root, 'mesh', name);
const deny = (rules = 'rules'): string => `apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: closed }
spec: { action: DENY, ${rules}: [{ to: { methods: [POST] } }] }
`;
const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`;

async function start(): Promise<string[]> {
  await running?.close();
  running = undefined;
  running = await startControlPlane({ stateDir: join(root, 'state'), configDir: join(root, 'mesh'), log });
  return running.controlPlane
    .resources()
    .map(({ resource }) => `${resource.kind}/${resource.metadata.name}`)
    .toSorted();
}

it('what a file said last is in force after a restart with the file broken, and until it is mended or gone', async () => {
  writeFileSync(file('closed.yaml'), deny());
  writeFileSync(file('gone.yaml'), service('gone'));
  expect(await start()).toEqual(['AuthorizationPolicy/closed', 'Service/gone']);
  await running?.close();
  writeFileSync(file('closed.yaml'), deny('ruls'));
  rmSync(file('gone.yaml'));
  expect(await start()).toEqual(['AuthorizationPolicy/closed']);
  expect(warnings).toContainEqual(expect.stringMatching(/closed\.yaml:4:\d+.*ruls/));
  expect(running?.controlPlane.status().sources[0]?.faults[0]?.position).toMatchObject({ line: 4 });
  await running?.close();
  writeFileSync(file('closed.yaml'), service('other'));
  expect(await start()).toEqual(['Service/other']);
});

it('the same while the directory is away', async () => {
  writeFileSync(file('closed.yaml'), deny());
  await start();
  await running?.close();
  renameSync(join(root, 'mesh'), join(root, 'elsewhere'));
  expect(await start()).toEqual(['AuthorizationPolicy/closed']);
  expect(warnings).toContainEqual(expect.stringContaining('cannot be read (ENOENT)'));
});

it('with nothing known from before, a broken file or a missing directory is an error, with every fault', async () => {
  writeFileSync(file('closed.yaml'), deny('ruls'));
  writeFileSync(file('open.yaml'), 'kind: Servce');
  await expect(start()).rejects.toThrow(/closed\.yaml:4:(.|\n)*open\.yaml:1:/);
  rmSync(join(root, 'mesh'), { recursive: true });
  await expect(start()).rejects.toThrow(/cannot be read \(ENOENT\)/);
});
