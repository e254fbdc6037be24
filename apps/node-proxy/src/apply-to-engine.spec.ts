import { TulleError } from '@tulle/filter';
import { describe, expect, it } from 'vitest';
import { applyToEngine } from './apply-to-engine.ts';

describe('a configuration for the engine', () => {
  const trying = (...outcomes: (Error | undefined)[]): { tried: number; apply: () => Promise<void> } => {
    const state = {
      tried: 0,
      apply: async (): Promise<void> => {
        const outcome = outcomes[state.tried++];
        if (outcome !== undefined) throw outcome;
        return Promise.resolve();
      },
    };
    return state;
  };

  it('is given to the successor of one that ends meanwhile, and not for ever', async () => {
    const killed = new Error('the engine process 7 ended by SIGKILL');
    const once = trying(killed);
    expect([await applyToEngine(once.apply), once.tried]).toEqual([undefined, 2]);
    const each = trying(killed, killed, killed, undefined);
    expect(await applyToEngine(each.apply)).toEqual({
      ok: false,
      issues: [{ path: '', message: killed.message }],
    });
    expect(each.tried).toBe(3);
  });

  it('that is refused is so at once, with every reason', async () => {
    const issues = [{ path: '/listeners/0', message: 'is wrong' }];
    const wrong = trying(new TulleError('TULLE_CONFIG_INVALID', 'refused', { issues }));
    expect([await applyToEngine(wrong.apply), wrong.tried]).toEqual([{ ok: false, issues }, 1]);
  });
});
