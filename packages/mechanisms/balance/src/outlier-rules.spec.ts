import type { OutlierDetection } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import {
  createBalancer,
  FAILURE,
  GATEWAY_FAILURE,
  LOCAL_FAILURE,
  SUCCESS,
  type Balancer,
  type Outcome,
} from './index.ts';

interface Watched {
  readonly balancer: Balancer<null>;
  /** `host reason`, in order. */
  readonly ejections: string[];
  see(host: number, outcome: Outcome, times?: number, atMs?: number): void;
}

function watched(outlier: OutlierDetection, hosts = 6, draws: readonly number[] = [0.5]): Watched {
  let drawn = 0;
  const ejections: string[] = [];
  const balancer = createBalancer<null>({
    policy: { policy: 'round-robin' },
    outlier: { consecutiveFailures: 0, maxEjectionPercent: 100, ...outlier },
    random: () => draws[drawn++ % draws.length] as number,
    attach: () => null,
    onEjection: ({ state, ejected, reason }) => {
      if (ejected) ejections.push(`${state.address} ${reason}`);
    },
  });
  balancer.update(
    Array.from({ length: hosts }, (_, index) => ({ address: { path: `/${index}` } })),
    0,
  );
  return {
    balancer,
    ejections,
    see(host, outcome, times = 1, atMs = 0) {
      for (let i = 0; i < times; i++) {
        const state = balancer.get(`/${host}`);
        state?.onStart();
        state?.onEnd(outcome, 1, atMs);
      }
    },
  };
}

describe('failures in a row', () => {
  it('of gateways are 502 to 504 and local ones, which another 5xx breaks', () => {
    const { see, ejections } = watched({ gatewayFailures: { count: 3 } });
    see(0, GATEWAY_FAILURE, 2);
    see(0, FAILURE);
    see(0, GATEWAY_FAILURE, 2);
    expect(ejections).toEqual([]);
    see(0, LOCAL_FAILURE);
    expect(ejections).toEqual(['/0 gateway-failures']);
  });

  it('that are local count for themselves where they are split from the others', () => {
    const { see, ejections } = watched({
      consecutiveFailures: 3,
      splitLocalFailures: true,
      localFailures: { count: 2 },
    });
    see(0, FAILURE, 2);
    see(0, LOCAL_FAILURE);
    expect(ejections).toEqual([]); // a third failure, but a local one
    see(0, FAILURE);
    expect(ejections).toEqual(['/0 consecutive-failures']);
    see(1, LOCAL_FAILURE);
    see(1, FAILURE); // it answered
    see(1, LOCAL_FAILURE);
    expect(ejections).toHaveLength(1);
    see(1, LOCAL_FAILURE);
    expect(ejections).toEqual(['/0 consecutive-failures', '/1 local-failures']);
  });

  it.each([
    [0.29, 1],
    [0.3, 0],
  ])('lead to an ejection as often as the rule is enforced: drawn %f, %i', (draw, ejected) => {
    const { see, ejections } = watched(
      { consecutiveFailures: 1, consecutiveFailuresEnforcedPercent: 30 },
      6,
      [draw],
    );
    see(0, FAILURE);
    expect(ejections).toHaveLength(ejected);
  });
});

describe('endpoints compared', () => {
  const rules = { minimumEndpoints: 5, minimumRequests: 10 };

  it('are ejected where they lie too far below the mean, each interval anew', () => {
    const { balancer, see, ejections } = watched({ deviation: { ...rules, factor: 1.9 }, intervalMs: 1_000 });
    for (let host = 0; host < 6; host++) see(host, SUCCESS, 10);
    see(0, FAILURE, 10);
    balancer.refresh(999);
    expect(ejections).toEqual([]);
    balancer.refresh(1_000);
    expect(ejections).toEqual(['/0 deviation']);
    // What was counted before counts no more.
    see(1, FAILURE, 5, 1_001);
    balancer.refresh(3_000);
    expect(ejections).toHaveLength(1);
  });

  it('are left alone where too few had enough requests', () => {
    const { balancer, see, ejections } = watched({ deviation: { ...rules, factor: 1 }, intervalMs: 1_000 });
    for (let host = 0; host < 5; host++) see(host, SUCCESS, 9);
    see(5, FAILURE, 10);
    balancer.refresh(1_000);
    expect(ejections).toEqual([]);
  });

  it('are ejected where too much of their requests fails, locally where that counts apart', () => {
    const { balancer, see, ejections } = watched({
      failurePercentage: { ...rules, thresholdPercent: 50, enforcedPercent: 0 },
      splitLocalFailures: true,
      localFailures: { count: 99 },
      intervalMs: 1_000,
    });
    for (let host = 0; host < 6; host++) see(host, SUCCESS, 10);
    see(0, FAILURE, 10); // 50 %, but not enforced
    see(1, LOCAL_FAILURE, 10);
    see(2, LOCAL_FAILURE, 9);
    balancer.refresh(1_000);
    expect(ejections).toEqual(['/1 failure-percentage']);
  });
});

describe('an ejection', () => {
  it('may be longer at random', () => {
    const { balancer, see } = watched({
      consecutiveFailures: 1,
      baseEjectionMs: 1_000,
      ejectionJitterMs: 1_000,
    });
    see(0, FAILURE);
    balancer.refresh(1_499);
    expect(balancer.ejected).toBe(1);
    balancer.refresh(1_500);
    expect(balancer.ejected).toBe(0);
  });

  it.each([true, false])('ends with a passed health check where healthCheckReturns is %s', (returns) => {
    const { balancer, see } = watched({ consecutiveFailures: 1, healthCheckReturns: returns });
    see(0, FAILURE);
    const state = balancer.get('/0');
    if (state !== undefined) balancer.checked(state, true, 1);
    expect(state?.ejected).toBe(!returns);
  });
});

describe('what is found', () => {
  const found = (outlier: OutlierDetection): { see(outcome: Outcome): void; readonly told: string[] } => {
    const told: string[] = [];
    const balancer = createBalancer<null>({
      policy: { policy: 'round-robin' },
      outlier: { maxEjectionPercent: 100, ...outlier },
      random: () => 0.5,
      attach: () => null,
      onDetection: ({ state, reason, rates }) =>
        told.push(
          `${state.address} ${reason} ${state.ejected}${rates === undefined ? '' : ` ${JSON.stringify(rates)}`}`,
        ),
    });
    balancer.update([{ address: { path: '/0' } }, { address: { path: '/1' } }], 0);
    return {
      told,
      see(outcome) {
        const state = balancer.get('/0');
        state?.onStart();
        state?.onEnd(outcome, 1, 0);
        balancer.refresh(10_000);
      },
    };
  };

  it('is told where chance spares it, and lets other rules count on, that of gateways first', () => {
    const { see, told } = found({
      consecutiveFailures: 3,
      gatewayFailures: { count: 2, enforcedPercent: 0 },
    });
    for (let i = 0; i < 3; i++) see(GATEWAY_FAILURE);
    expect(told).toEqual(['/0 gateway-failures false', '/0 consecutive-failures true']);
  });

  it('is told with the rates that were compared', () => {
    const { see, told } = found({
      consecutiveFailures: 0,
      failurePercentage: {
        thresholdPercent: 50,
        minimumEndpoints: 1,
        minimumRequests: 1,
        enforcedPercent: 0,
      },
    });
    see(FAILURE);
    expect(told).toEqual(['/0 failure-percentage false {"local":false,"rate":0}']);
  });
});
