import type { MayClaim } from './endpoint-right.ts';

interface Answer {
  readonly labels: Readonly<Record<string, string>>;
  readonly may: boolean;
}

/**
 * What service accounts may claim, as it was when asked first: what was compiled from an answer holds until
 * {@link Claims.review} says that it is another.
 */
export class Claims {
  readonly #mayClaim: MayClaim;
  /** Account → selector as text → what was asked and said. */
  readonly #said = new Map<string, Map<string, Answer>>();

  constructor(mayClaim: MayClaim) {
    this.#mayClaim = mayClaim;
  }

  readonly may: MayClaim = (account, labels) => {
    const said = this.#said.get(account) ?? new Map<string, Answer>();
    this.#said.set(account, said);
    const key = JSON.stringify(labels);
    const known = said.get(key);
    if (known !== undefined) return known.may;
    const may = this.#mayClaim(account, labels);
    said.set(key, { labels, may });
    return may;
  };

  /** No Workload of it is left. */
  forget(account: string): void {
    this.#said.delete(account);
  }

  /** Asks again. @returns whether any answer is another */
  review(account: string): boolean {
    const said = this.#said.get(account);
    if (said === undefined) return false;
    for (const { labels, may } of said.values())
      if (this.#mayClaim(account, labels) !== may) {
        this.#said.delete(account);
        return true;
      }
    return false;
  }
}
