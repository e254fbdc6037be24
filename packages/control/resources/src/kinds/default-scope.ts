import type { JsonSchema } from '@tulle/model';
import { oneOf } from './schema-parts.ts';

/** Which default Gateways a route asks for, or which routes a default Gateway takes; `''` and `None`: none (GEP-3793). */
export type DefaultScope = 'All' | 'None' | '';

export const defaultScope = (description: string): JsonSchema =>
  oneOf(`${description} Default None.`, ['All', 'None', '']);
