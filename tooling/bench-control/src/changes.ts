import { policy, route, SELDOM, workload } from './mesh.ts';
import type { Plane } from './plane.ts';

/** A kind of change, as operators and platforms make them. */
export interface ChangeKind {
  readonly id: string;
  readonly name: string;
  /** Before each round, not measured. */
  prepare?(plane: Plane, round: number): Promise<unknown>;
  /** @returns the change */
  apply(plane: Plane, round: number): Promise<string>;
}

/** Two states by turns, so that each round changes something. */
const turn = (round: number): number => 2 + (round % 2);

export const CHANGES: readonly ChangeKind[] = [
  {
    id: 'endpoint',
    name: 'an endpoint of a seldom Service',
    apply: (plane, round) => plane.apply([workload(SELDOM, 0, turn(round))]),
  },
  {
    id: 'endpoint-for-all',
    name: 'an endpoint of a Service for all',
    apply: (plane, round) => plane.apply([workload(0, 0, turn(round))]),
  },
  {
    id: 'removal',
    name: 'an endpoint removed, for all',
    prepare: (plane) => plane.apply([workload(0, 7, 1)]),
    apply: (plane) => plane.remove('workload', 'w0-7'),
  },
  {
    id: 'route',
    name: 'weights of a route for all',
    apply: (plane, round) => plane.apply([route(turn(round))]),
  },
  {
    id: 'policy',
    name: 'an authorization policy for all',
    apply: (plane, round) => plane.apply([policy(turn(round))]),
  },
];
