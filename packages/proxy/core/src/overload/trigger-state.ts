import type { OverloadTrigger } from './options.ts';

/** A threshold that was reached holds until the pressure is so much below it, so that an action does not flutter. */
const HYSTERESIS = 0.05;

/** One trigger and whether its threshold holds. */
export class TriggerState {
  readonly trigger: OverloadTrigger;
  #active = false;

  constructor(trigger: OverloadTrigger) {
    this.trigger = trigger;
  }

  /** How much of the action this pressure asks for, 0 to 1. */
  scaleAt(pressure: number): number {
    const { trigger } = this;
    if ('threshold' in trigger) {
      this.#active = pressure >= trigger.threshold - (this.#active ? HYSTERESIS : 0);
      return this.#active ? 1 : 0;
    }
    const { from, saturated } = trigger.scaling;
    return Math.min(Math.max((pressure - from) / (saturated - from), 0), 1);
  }
}
