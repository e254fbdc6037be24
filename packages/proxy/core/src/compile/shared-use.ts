/** What several filter chains use, over generations of the configuration, and that is closed once, with its last user. */
export abstract class SharedUse {
  #users = 0;
  #closed = false;

  /** Lets go of what is held. Called once. */
  protected abstract end(): void;

  retain(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    this.closeIfUnused();
  }

  /** For what was made and then not used after all. */
  closeIfUnused(): void {
    if (this.#users > 0 || this.#closed) return;
    this.#closed = true;
    this.end();
  }
}
