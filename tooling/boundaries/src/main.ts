import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './rules.ts';
import { type Layers, type Manifest, readWorkspace } from './workspace.ts';

const root = join(import.meta.dirname, '../../..');
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const layers = readJson(join(import.meta.dirname, '../layers.json')) as Layers;
const { devDependencies = {} } = readJson(join(root, 'package.json')) as Manifest;
const packages = readWorkspace(root, layers);
const faults = check(packages, layers, new Set(Object.keys(devDependencies)));
for (const { path, line, message } of faults)
  console.error(`${path}${line === undefined ? '' : `:${line}`}: ${message}`);
console.log(
  `boundaries: ${packages.length} packages, ${packages.flatMap(({ files }) => files).length} files, ${faults.length} faults`,
);
process.exitCode = faults.length > 0 ? 1 : 0;
