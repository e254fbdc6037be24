import { filterCompliance } from '@tulle/filter-compliance';
import { describe, it } from 'vitest';
import { sample } from './filter.ts';

describe('compliance', () => {
  for (const { name, run } of filterCompliance({
    filter: sample,
    validConfigs: [{ header: 'x-sample', value: 'yes', refuse: ['/private'] }],
    invalidConfigs: [{ config: { header: 'x-sample', valeu: 'yes' }, pointers: ['', '/valeu'] }],
    requests: [{ path: '/private' }],
  }))
    it(`complies: ${name}`, run);
});
