import fc from 'fast-check';
import type { HboneTunnel } from '@tulle/model';
import { label, object, options } from './basics.ts';

export const tunnel: fc.Arbitrary<HboneTunnel> = options<HboneTunnel>({
  address: object<NonNullable<HboneTunnel['address']>>({
    host: fc.ipV4(),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
  authority: label,
});
