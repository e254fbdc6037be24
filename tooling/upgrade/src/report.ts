/** Claims with their figures, a line each. */
export class Report {
  failed = 0;
  passed = 0;

  claim(text: string, holds: boolean, figure: string): void {
    if (holds) this.passed++;
    else this.failed++;
    process.stdout.write(`${holds ? '√' : '×'} ${text}: ${figure}\n`);
  }

  note(text: string): void {
    process.stdout.write(`  ${text}\n`);
  }
}
