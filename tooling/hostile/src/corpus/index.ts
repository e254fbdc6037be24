import type { RequestCase } from './cases.ts';
import { HOSTILE_FRAMING } from './hostile-framing.ts';
import { HOSTILE_HEADS } from './hostile-heads.ts';

export { MARK } from './cases.ts';
export type { RequestCase, ResponseCase, Seen } from './cases.ts';
/** Requests that no origin may see: the framing list of the attack checklist, item by item. */
export const HOSTILE_REQUESTS: readonly RequestCase[] = [...HOSTILE_FRAMING, ...HOSTILE_HEADS];
export { ODD_REQUESTS } from './odd-requests.ts';
export { HOSTILE_RESPONSES, ODD_RESPONSES } from './responses.ts';
