import type { Engine } from './engine.ts';

/** Registers what is read of a proxy when metrics are scraped. @returns what ends that */
export function observeProxy(engine: Engine, isReady: () => boolean): (() => void)[] {
  const gauge = (name: string, help: string, read: () => number): (() => void) =>
    engine.meter.observed(`tulle_${name}`, { help }, read);
  return [
    gauge('streams_active', 'Streams under way', () => engine.streams.active),
    gauge('config_generation', 'Configurations applied so far', () => engine.generation),
    gauge('server_live', 'Whether this proxy is ready', () => (isReady() ? 1 : 0)),
    gauge('replay_bytes', 'Request bodies held for replay', () => engine.replayAccount.usedBytes),
    gauge('on_demand_waiting', 'Requests that wait for what is looked for', () => engine.demands?.size ?? 0),
    gauge(
      'explain_requests',
      'Requests whose decisions are kept for explanation',
      () => engine.decisions.size,
    ),
    gauge(
      'explain_window_seconds',
      'How far back every request can be explained',
      () => engine.decisions.windowMs / 1000,
    ),
  ];
}
