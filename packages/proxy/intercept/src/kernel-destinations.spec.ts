import { openSync, closeSync } from 'node:fs';
import { expect, it } from 'vitest';
import { kernelDestinations } from './kernel-destinations.ts';

const linux = process.platform === 'linux';

it.skipIf(linux)('says that only Linux tells', () => {
  expect(() => kernelDestinations()).toThrow(/only Linux/);
});

it.skipIf(!linux)('names the package that is missing, and what installs it', () => {
  const missing = (name: string): never => {
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  };
  expect(() => kernelDestinations(missing)).toThrow(
    /the package koffi.* is not installed \(npm install koffi\)/,
  );
});

it.skipIf(!linux)('says nothing of what is no connection', () => {
  const ask = kernelDestinations();
  const fd = openSync('/dev/null', 'r');
  expect([ask(fd), ask(1_000_000)]).toEqual([undefined, undefined]);
  closeSync(fd);
});
