import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { analyze, readResources } from '@tulle/resources';
import { createControlPlane, type ControlPlaneOptions, type SidecarMetadata } from '../src/index.ts';
import { nodeOf } from './nodes.ts';

const directory = join(import.meta.dirname, 'fixtures');

// A case is a file: its first document lists proxies (SidecarMetadata) and options of the mesh, the others are resources. Beside it is what each
// proxy gets, by node id; a new case's is written by the first run, `vitest run golden -u` renews them after a change that is meant.
describe('what proxies get', () => {
  it.each(readdirSync(directory).filter((file) => file.endsWith('.yaml')))('%s', async (file) => {
    const text = readFileSync(join(directory, file), 'utf8');
    const end = text.indexOf('\n---\n');
    const { proxies, mesh } = parse(text.slice(0, end)) as {
      proxies: SidecarMetadata[];
      mesh?: Partial<ControlPlaneOptions>;
    };
    const resources = text.slice(0, end).replaceAll(/[^\n]/g, '') + text.slice(end); // lines stay where they are
    const read = await readResources([{ text: resources, file }]);
    expect(read.diagnostics).toEqual([]);
    const controlPlane = createControlPlane({ trustDomain: 'mesh.local', ...mesh });
    controlPlane.apply(
      read.resources.map(({ resource }) => resource),
      [],
    );
    const handles = proxies.map((metadata) => {
      const node = nodeOf(metadata);
      return { id: node.id, handle: controlPlane.provider.open(node) };
    });
    controlPlane.flush();
    const given = Object.fromEntries(
      handles.map(({ id, handle }) => {
        const { version: _, ...config } = handle.current().config;
        return [id, config];
      }),
    );
    const findings = analyze(read).map(({ code, message }) => `${code} ${message}`);
    await expect(
      `${JSON.stringify({ ...(findings.length > 0 ? { findings } : {}), proxies: given }, null, 2)}\n`,
    ).toMatchFileSnapshot(join(directory, file.replace('.yaml', '.json')));
    await controlPlane.close();
  });
});
