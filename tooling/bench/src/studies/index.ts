import { filtersEach } from './filters-each.ts';
import { idleConnections } from './idle-connections.ts';
import { idleStreams } from './idle-streams.ts';
import { meshModes } from './mesh-modes.ts';
import { overload } from './overload.ts';
import { slowReader } from './slow-reader.ts';
import { workers } from './workers.ts';
import type { Study } from './study.ts';

export type { Study } from './study.ts';

/** Measurements beside the scenarios, in their order. */
export const studies: readonly Study[] = [
  filtersEach,
  idleConnections,
  idleStreams,
  slowReader,
  overload,
  workers,
  meshModes,
];
