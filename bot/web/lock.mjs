// Strips addresses from package-lock.json: the hashes suffice, and any registry can serve the packages.
import { readFileSync, writeFileSync } from 'node:fs';

const path = 'package-lock.json';
const lock = JSON.parse(readFileSync(path, 'utf8'));
for (const item of Object.values(lock.packages)) {
  delete item.resolved;
  delete item.funding;
}
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
