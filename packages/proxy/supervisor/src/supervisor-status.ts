import type { Address } from '@tulle/model';

/** What runs, for status. */
export interface SupervisorStatus {
  readonly configVersion: string | undefined;
  readonly listeners: readonly Address[];
  readonly processes: readonly {
    readonly slot: number;
    readonly generation: number;
    readonly pid: number;
    readonly state: 'starting' | 'ready' | 'draining';
    readonly adminAddress: Address;
    /** Of callers, as it said last, some 50 ms ago at most; where connections are evened out. */
    readonly connections?: number;
  }[];
  /** Unasked ends since the start. */
  readonly crashes: number;
  /** Connections that went to another process than the one that accepted them, since the start. */
  readonly connectionsMoved: number;
}
