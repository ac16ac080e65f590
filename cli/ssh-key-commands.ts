import type { Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { FailedError, jsonOption, readKeyFile, withApp, type JsonOption } from './context.ts';
import { print, printJson } from './output.ts';

const sharedKeys = () => import('../src/lib/fleet-admin/shared-key.ts');

/** `wardround ssh-key …`. */
export function fillSshKey(command: Command): void {
  command
    .command('create')
    .description("make the fleet's shared key, for VPSs that have none of their own")
    .option('--key-file <file>', 'take this private key, without passphrase, instead of a fresh one')
    .addOption(jsonOption())
    .action(({ keyFile, json }: JsonOption & { keyFile?: string }) =>
      withApp(async (app) => {
        const { makeSharedKey } = await sharedKeys();
        const given = keyFile === undefined ? undefined : readKeyFile(keyFile);
        show(await makeSharedKey(app, LOCAL_OPERATOR, given), json);
      }, 'begin'),
    );
  command
    .command('show')
    .description('its public half, as it belongs into authorized_keys')
    .addOption(jsonOption())
    .action(({ json }: JsonOption) =>
      withApp(async (app) => {
        const key = (await sharedKeys()).sharedKeyOf(app.db);
        if (!key) throw new FailedError('the fleet has no shared key yet: wardround ssh-key create');
        show(key, json);
      }),
    );
}

function show(key: { readonly id: string; readonly publicKey: string }, json: true | undefined): void {
  if (json) printJson(key);
  else print(`restrict ${key.publicKey} wardround`);
}
