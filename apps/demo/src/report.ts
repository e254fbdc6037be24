import { styleText } from 'node:util';

/** Collects the claims of a `--check` run: a line each, with the figure that shows it. */
export class Report {
  #failed = 0;
  #passed = 0;
  readonly #print: (line: string) => void;

  constructor(
    print: (line: string) => void = (line) => {
      process.stdout.write(`${line}\n`);
    },
  ) {
    this.#print = print;
  }

  get failed(): number {
    return this.#failed;
  }
  get passed(): number {
    return this.#passed;
  }

  scene(title: string): void {
    this.#print(`\n${styleText('bold', title)}`);
  }

  /** @param figure what was measured, beside what was asked */
  claim(text: string, holds: boolean, figure: string): void {
    if (holds) this.#passed++;
    else this.#failed++;
    this.#print(`  ${holds ? styleText('green', '√') : styleText('red', '×')} ${text}: ${figure}`);
  }

  /** Something that is only said. */
  note(text: string): void {
    this.#print(`    ${styleText('dim', text)}`);
  }
}
