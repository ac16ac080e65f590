import { execFileSync } from 'node:child_process';
import { prepareRig, RIG_DIR, RIG_SCRIPT } from './machine.ts';

export default function setup(): () => void {
  console.log(`Preparing real machines in ${RIG_DIR} (two minutes, once) …`);
  prepareRig();
  return () => {
    execFileSync('bash', [RIG_SCRIPT, 'halt', RIG_DIR]);
  };
}
