// Writes docs/reference; a spec proves that the pages in the repository are the ones this would write.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pages } from './pages.ts';

const directory = fileURLToPath(new URL('../../../docs/reference/', import.meta.url));
mkdirSync(directory, { recursive: true });
for (const [name, text] of await pages()) {
  writeFileSync(directory + name, text);
  console.log(`docs/reference/${name}`);
}
