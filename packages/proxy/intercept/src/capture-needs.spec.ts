import { afterEach, expect, it, vi } from 'vitest';
import { missingForCapture } from './capture-needs.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

it.skipIf(process.platform !== 'linux')('names all that is missing at once, each with what helps', () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.spyOn(process, 'geteuid').mockReturnValue(1000);
  const noKoffi = (): never => {
    throw Object.assign(new Error('not found'), { code: 'MODULE_NOT_FOUND' });
  };
  expect(missingForCapture(noKoffi)).toEqual([
    'it needs root (sudo)',
    'nft is not installed (apt-get install nftables)',
    'the package koffi, which asks the kernel where connections were going, is not installed (npm install koffi)',
  ]);
  vi.mocked(process.geteuid as () => number).mockReturnValue(0);
  expect(missingForCapture(() => ({ load: () => ({ func: () => () => 0 }) }))).toEqual([
    'nft is not installed (apt-get install nftables)',
  ]);
});

it('says of another system only that it is one', () => {
  vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin');
  expect(missingForCapture()).toEqual(['only Linux captures connections, and this is darwin']);
});
