import type { FilterInstance, HeadStep, PhaseTable } from '../chain/tables.ts';
import type { HttpChain } from '../compile/compiled.ts';
import { RAN_ALL, RAN_STOPPED, RAN_WAITING } from '../stream/sites.ts';
import type { Reason } from './explanation.ts';

/** By number, as in `chain/phases.ts`. */
const PHASES = [
  'before-route',
  'request-headers',
  'request-trailers',
  'response-headers',
  'response-trailers',
  'attempt-headers',
] as const;

const EFFECTS = ['none', 'local', 'external'] as const;

/** What became of the filters of a stream, as its notes are read one after the other. */
export class FilterTrail {
  /** In force now. */
  table: PhaseTable | undefined;
  readonly #chain: HttpChain | undefined;
  /** Before a rematch, with the slot that asked for it. */
  #before: { readonly table: PhaseTable | undefined; readonly slot: number } | undefined;
  /** Notes of filters whose phase is not told yet, by slot. */
  readonly #notes: Map<number, Reason[]> = new Map<number, Reason[]>();
  /** What became of filters otherwise than going on, by slot. */
  readonly #marked: Map<number, Pick<Reason, 'outcome' | 'reason' | 'detail'>> = new Map();

  constructor(chain: HttpChain | undefined) {
    this.#chain = chain;
    this.table = chain?.unrouted;
  }

  /** `stream.note(code, value)` of the filter in a slot; told with its phase. */
  note(slot: number, code: number, value: number): void {
    const definition = this.#chain?.filters.filters[slot]?.definition;
    const list = this.#notes.get(slot) ?? [];
    this.#notes.set(slot, list);
    list.push({
      site: 'filter',
      subject: this.#name(slot),
      outcome: 'note',
      reason: definition?.notes?.[code] ?? `note ${code}`,
      detail: String(value),
    });
  }

  failed(slot: number, open: boolean): void {
    this.#marked.set(slot, {
      outcome: open ? 'failed open' : 'failed',
      reason: 'TULLE_FILTER_FAILED',
      detail: open
        ? 'it threw, and the chain lets the request pass then; the log says why'
        : 'it threw; the log says why',
    });
  }

  notCalled(slot: number, effects: number): void {
    this.#marked.set(slot, {
      outcome: 'would call',
      reason: `effects-${EFFECTS[effects] ?? ''}`,
      detail: 'not called in a dry run; what follows supposes that it lets the request pass',
    });
  }

  rematch(slot: number): Reason {
    this.#before = { table: this.table, slot };
    return this.#reason(slot, 'rematch', 'asked', 'the route is looked for again');
  }

  bodyStopped(slot: number, response: boolean): Reason {
    const reason = this.#reason(slot, 'stop', response ? 'response-body' : 'request-body', '');
    return { ...reason, ...this.#notesOf(slot) };
  }

  /** Every filter of a phase up to the one that ran last. */
  phase(phase: number, result: number, last: number): Reason[] {
    const name = PHASES[phase] ?? '';
    // The rest of the phase is told when it is over.
    if (result === RAN_WAITING) return [this.#reason(last, 'waits', name, 'its answer took a promise')];
    const filters = this.#stepsOf(phase).map(({ filter }) => filter);
    const end = filters.findIndex(({ slot }) => slot === last);
    const ran = result === RAN_ALL || end < 0 ? filters : filters.slice(0, end + 1);
    if (ran.length === 0 && result === RAN_STOPPED) return [this.#reason(last, 'stop', name, '')];
    return ran.map(({ slot, name: subject }): Reason => {
      const marked = this.#marked.get(slot);
      this.#marked.delete(slot);
      const stopped = result === RAN_STOPPED && slot === last;
      return {
        site: 'filter',
        subject,
        outcome: marked?.outcome ?? (stopped ? 'stop' : 'continue'),
        reason: marked?.reason ?? name,
        detail: marked?.detail ?? '',
        ...this.#notesOf(slot),
      };
    });
  }

  /** Notes that belong to no phase that was told: of body hooks, `attemptEnd`, `complete`. */
  rest(): Reason[] {
    return [...this.#notes].map(([slot, children]) => ({
      ...this.#reason(slot, 'noted', 'note', ''),
      children,
    }));
  }

  #reason(slot: number, outcome: string, reason: string, detail: string): Reason {
    return { site: 'filter', subject: this.#name(slot), outcome, reason, detail };
  }

  #notesOf(slot: number): { readonly children?: readonly Reason[] } {
    const children = this.#notes.get(slot);
    this.#notes.delete(slot);
    return children === undefined ? {} : { children };
  }

  #name(slot: number): string {
    return this.#chain?.filters.filters[slot]?.name ?? `slot ${slot}`;
  }

  #stepsOf(phase: number): readonly { readonly filter: FilterInstance }[] {
    if (phase === 0) return this.#chain?.beforeRoute ?? [];
    const now = stepsIn(this.table, phase);
    const before = this.#before;
    if (before === undefined || PHASES[phase] !== 'request-headers') return now;
    this.#before = undefined;
    return [
      ...stepsIn(before.table, phase).filter(({ filter }) => filter.slot <= before.slot),
      ...now.filter(({ filter }) => filter.slot > before.slot),
    ];
  }
}

function stepsIn(table: PhaseTable | undefined, phase: number): readonly HeadStep[] {
  switch (PHASES[phase]) {
    case 'request-headers':
      return table?.requestHeaders ?? [];
    case 'request-trailers':
      return table?.requestTrailers ?? [];
    case 'response-headers':
      return table?.responseHeaders ?? [];
    case 'response-trailers':
      return table?.responseTrailers ?? [];
    case 'attempt-headers':
      return table?.attemptHeaders ?? [];
    default:
      return [];
  }
}
