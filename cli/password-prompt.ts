import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { Writable } from 'node:stream';
import { UsageError } from './context.ts';

/**
 * A password from where nobody else reads it: standard input, or a terminal that does not show it, asked twice. Never
 * an argument: those are in the process list and in the shell's history.
 */
export async function readNewPassword(fromStdin: boolean): Promise<string> {
  if (fromStdin) return (await text(process.stdin)).replace(/\r?\n$/, '');
  if (!process.stdin.isTTY)
    throw new UsageError(
      'there is no terminal to ask for a password; allowed: --password-stdin, and the password there',
    );
  const password = await ask('Password: ');
  if ((await ask('Again: ')) !== password) throw new UsageError('the two passwords differ; nothing was changed');
  return password;
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  // readline echoes to its output: this one swallows it.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.once('line', resolve);
      terminal.once('SIGINT', () => reject(new UsageError('nothing was changed')));
      terminal.once('close', () => reject(new UsageError('nothing was changed')));
    });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
