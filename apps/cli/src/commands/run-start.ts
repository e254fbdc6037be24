import {
  CaptureUnavailableError,
  describeProgress,
  NoIdentityError,
  type Sidecar,
  type SidecarProgress,
  WITHOUT_CAPTURE,
} from '@tulle/sidecar';
import { CliError, EXIT } from '../cli/exit-codes.ts';

/** What the sidecar waits for, in a line: at once when it is news, then every five seconds. */
export function progressTo(say: (text: string) => void, name: string): (progress: SidecarProgress) => void {
  let saidMs = -Infinity;
  return (progress) => {
    if (progress.kind === 'waiting-for-identity') {
      if (performance.now() - saidMs < 5_000) return;
      saidMs = performance.now();
    }
    say(`${name}: ${describeProgress(progress)}`);
  };
}

/** @throws CliError with what to do next */
export function explainStart(error: unknown): never {
  if (error instanceof CliError) throw error;
  // What the API said about the join token says more than that there is none.
  if (error instanceof Error && error.cause instanceof CliError) throw error.cause;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof NoIdentityError)
    throw new CliError(
      EXIT.unreachable,
      message,
      'start the control plane or correct --control-plane; tulle check looks into it, --start-timeout waits longer',
      { cause: error },
    );
  if (error instanceof CaptureUnavailableError)
    throw new CliError(EXIT.failed, message, WITHOUT_CAPTURE, { cause: error });
  throw new CliError(EXIT.failed, message, undefined, { cause: error });
}

/**
 * Waits for the first configuration.
 * @param timeoutMs 0: no limit
 * @throws CliError 69 with the reason when there is none in time
 */
export async function configured(
  sidecar: Pick<Sidecar, 'ready' | 'status'>,
  timeoutMs: number,
  leftMs: number,
  interrupted: AbortSignal,
): Promise<void> {
  const late = Promise.withResolvers<never>();
  const interrupt = (): void => late.reject(interrupted.reason);
  interrupted.addEventListener('abort', interrupt, { once: true });
  const giveUp = (): void => {
    const { lastError, refused = [] } = sidecar.status().xds ?? {};
    const reason =
      refused.length > 0
        ? refused.map((r) => `${r.kind} ${r.name}: ${r.reasons.join('; ')}`).join(', ')
        : (lastError ?? 'it does not answer');
    late.reject(
      new CliError(
        EXIT.unreachable,
        `no configuration from the control plane after ${timeoutMs / 1000} s: ${reason}`,
        'look at `tulle status`; --start-timeout waits longer',
      ),
    );
  };
  const timer = timeoutMs === 0 ? undefined : setTimeout(giveUp, Math.max(0, leftMs));
  try {
    await Promise.race([sidecar.ready(), late.promise]);
  } finally {
    clearTimeout(timer);
    interrupted.removeEventListener('abort', interrupt);
  }
}

/** Before the program runs, a signal ends the start. @param reason what the command then says */
export function interruption(reason = 'interrupted before the program was started'): {
  readonly signal: AbortSignal;
  done(): void;
} {
  const abort = new AbortController();
  const stop = (): void => abort.abort(new CliError(EXIT.interrupted, reason));
  process.on('SIGINT', stop).on('SIGTERM', stop);
  return { signal: abort.signal, done: () => void process.off('SIGINT', stop).off('SIGTERM', stop) };
}
