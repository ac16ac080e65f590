import type { Command } from 'commander';
import { generateKey } from '../src/lib/crypto/encryption-key.ts';
import { jsonOption, type JsonOption } from './context.ts';
import { print, printJson } from './output.ts';

/** `wardround keygen`. */
export function fillKeygen(keygen: Command): void {
  keygen.addOption(jsonOption()).action(({ json }: JsonOption) => {
    if (json) printJson({ encryptionKey: generateKey() });
    else print(generateKey());
  });
}
