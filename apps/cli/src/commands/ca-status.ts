import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import type { View } from '../cli/output.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';

interface Authority {
  readonly id: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** How the CA stands, as the API tells it. */
export interface CaStatus {
  readonly trustDomain: string;
  readonly leafEpoch: number;
  readonly roots: readonly Authority[];
  readonly signingRootId: string;
  readonly issuers: readonly Authority[];
  readonly holders: number;
  readonly connected: number;
  readonly rootRotation?: RootRotation;
}

/** A change of roots, as the API tells it. */
export interface RootRotation {
  readonly phase: 'distributing' | 'overlapping';
  readonly fromRootId: string;
  readonly toRootId: string;
  readonly removeAtMs?: number;
  readonly confirmed: number;
  readonly renewed: number;
  readonly holders: number;
  readonly waitingFor: readonly {
    readonly spiffeId: string;
    readonly instance?: string;
    readonly notAfterMs: number;
    readonly connected: boolean;
  }[];
}

interface Row extends Authority {
  readonly kind: 'root' | 'issuer';
  readonly state: string;
}

export const command: Command = defineCommand({
  summary: 'Show roots, issuers, who holds certificates, and how a change of roots stands',
  options: { ...LIST_OPTIONS, ...API_OPTION },
  examples: [{ command: 'tulle ca status', does: 'when root and issuer end' }],
  async run({ io, options, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    const people = options.output === undefined || ['table', 'wide'].includes(options.output);
    await showView(io, options, signal, async () => {
      const status = await client.must<CaStatus>('GET', '/api/v1/ca');
      return { view: viewOf(status), notes: people ? notesOf(status) : [] };
    });
    return EXIT.ok;
  },
});

function viewOf(status: CaStatus): View<Row> {
  return {
    rows: rowsOf(status),
    document: status,
    name: (row) => `${row.kind}/${row.id}`,
    columns: [
      { header: 'KIND', value: (row) => row.kind },
      { header: 'ID', value: (row) => row.id },
      { header: 'STATE', value: (row) => row.state },
      { header: 'LIFE USED', value: (row) => lifeUsed(row, Date.now()) },
      { header: 'UNTIL', value: (row) => new Date(row.notAfterMs).toISOString() },
      { header: 'FROM', value: (row) => new Date(row.notBeforeMs).toISOString(), wide: true },
    ],
  };
}

const notesOf = ({ holders, connected, rootRotation }: CaStatus): string[] => [
  `${holders} instances hold certificates, ${connected} of them hear the CA`,
  ...(rootRotation === undefined ? [] : [describeRotation(rootRotation)]),
];

function rowsOf({ roots, signingRootId, issuers, rootRotation }: CaStatus): readonly Row[] {
  const stateOf = (root: Authority): string => {
    if (root.id === signingRootId) return 'signs';
    return root.id === rootRotation?.toRootId ? 'being made known' : 'believed until it is removed';
  };
  return [
    ...roots.map((root) => ({ ...root, kind: 'root' as const, state: stateOf(root) })),
    ...issuers.map((issuer, i) => ({
      ...issuer,
      kind: 'issuer' as const,
      state: i === issuers.length - 1 ? 'signs' : 'retired',
    })),
  ];
}

const lifeUsed = ({ notBeforeMs, notAfterMs }: Authority, nowMs: number): string =>
  `${Math.round(Math.min(1, Math.max(0, (nowMs - notBeforeMs) / (notAfterMs - notBeforeMs))) * 100)} %`;

/** Instances that are named in one line. */
const NAMED = 5;

/** One line on how far it is and what it waits for. */
export function describeRotation({
  phase,
  toRootId,
  removeAtMs = 0,
  confirmed,
  renewed,
  holders,
  waitingFor,
}: RootRotation): string {
  const done = phase === 'distributing' ? confirmed : renewed;
  const names = waitingFor
    .slice(0, NAMED)
    .map(
      (one) =>
        `${one.instance ?? one.spiffeId} (${one.connected ? 'connected' : `away, its certificate ends ${timeText(one.notAfterMs)}`})`,
    );
  const more = holders - done - names.length;
  const waiting =
    names.length === 0 ? '' : `; waiting for ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return phase === 'distributing'
    ? `${confirmed} of ${holders} instances believe the new root ${toRootId}${waiting}`
    : `the new root ${toRootId} signs, ${renewed} of ${holders} instances have a certificate below it${waiting}; the old root goes after ${timeText(removeAtMs)}, when no certificate and no join token needs it`;
}

const timeText = (ms: number): string => new Date(ms).toISOString();
