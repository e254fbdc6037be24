import type { Conversation } from './conversation.ts';
import { DEFAULT_MODES, type Modes } from './modes.ts';

/** A direction of a stream. */
export type Side = 'request' | 'response';

/** What becomes of a body, chosen when its head has passed. */
export type BodyFate =
  /** It passes untold; its hook is not called. */
  | 'passes'
  /** Told piece by piece. */
  | 'streamed'
  /** Told once, whole. */
  | 'buffered'
  /** Told once, whole or its beginning. */
  | 'partial'
  /** It goes, and another takes its place. */
  | 'replaced';

/** What is remembered of one direction. */
export interface SideState {
  fate: BodyFate;
  /** What takes the body's place, with fate `replaced`. */
  replacement: Uint8Array | undefined;
  /** The service is told nothing more of this direction. */
  done: boolean;
  /** Something was told already, and with it the attributes. */
  told: boolean;
}

/** What is remembered of a stream. */
export interface ProcState {
  conversation: Conversation | undefined;
  modes: Modes;
  /** Nothing is told any more, in either direction. */
  done: boolean;
  /** The stream is over. */
  gone: boolean;
  /** The response is on its way to the caller. */
  begun: boolean;
  readonly request: SideState;
  readonly response: SideState;
}

const newSide = (): SideState => ({ fate: 'passes', replacement: undefined, done: false, told: false });

export function newState(): ProcState {
  return {
    conversation: undefined,
    modes: DEFAULT_MODES,
    done: false,
    gone: false,
    begun: false,
    request: newSide(),
    response: newSide(),
  };
}

export function resetState(state: ProcState): void {
  state.conversation = undefined;
  state.modes = DEFAULT_MODES;
  state.done = state.gone = state.begun = false;
  for (const side of [state.request, state.response]) {
    side.fate = 'passes';
    side.replacement = undefined;
    side.done = false;
    side.told = false;
  }
}
