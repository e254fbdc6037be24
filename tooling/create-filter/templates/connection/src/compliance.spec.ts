import { connFilterCompliance } from '@tulle/filter-compliance';
import { describe, it } from 'vitest';
import { sample } from './filter.ts';

describe('compliance', () => {
  for (const { name, run } of connFilterCompliance({
    filter: sample,
    validConfigs: [{ refuse: ['192.0.2.1'] }],
    invalidConfigs: [{ config: { refsue: [] }, pointers: ['', '/refsue'] }],
    callers: [{ host: '192.0.2.1' }],
  }))
    it(`complies: ${name}`, run);
});
