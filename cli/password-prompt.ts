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
  // Its echo is off from before the first question until after the last answer: what is typed ahead, or pasted at once,
  // is not shown either.
  const terminal = createInterface({
    input: process.stdin,
    // readline echoes to its output: this one swallows it.
    output: new Writable({ write: (_chunk, _encoding, done) => done() }),
    terminal: true,
  });
  const answers = terminal[Symbol.asyncIterator]();
  try {
    const password = await ask(answers, 'Password: ');
    if ((await ask(answers, 'Again: ')) !== password)
      throw new UsageError('the two passwords differ; nothing was changed');
    return password;
  } finally {
    terminal.close();
  }
}

async function ask(answers: AsyncIterator<string>, question: string): Promise<string> {
  process.stderr.write(question);
  const answer = await answers.next();
  process.stderr.write('\n');
  // Ctrl-C and Ctrl-D end the answers.
  if (answer.done) throw new UsageError('nothing was changed');
  return answer.value;
}
