import type { Command } from 'commander';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import type { Authority } from '../src/lib/fleet-admin/authority.ts';
import { count } from '../src/lib/facts/time-words.ts';
import { FailedError, jsonOption, theVps, withApp, type JsonOption } from './context.ts';
import { print, printJson } from './output.ts';

const authority = () => import('../src/lib/fleet-admin/authority.ts');

/** `wardround ca …`. */
export function fillCa(command: Command): void {
  command
    .command('create')
    .description('make an ed25519 key that signs a certificate for each connection; stored encrypted')
    .addOption(jsonOption())
    .action(({ json }: JsonOption) =>
      withApp(async (app) => {
        const { makeAuthority } = await authority();
        const made = await makeAuthority(app, LOCAL_OPERATOR);
        if (json) printJson(made);
        else print(`${linesOf(made)}\n\nNext: wardround vps add --certificate …, then wardround ca lines HOST`);
      }, 'begin'),
    );

  command
    .command('show')
    .description('who signs, and for how many VPSs; the public halves, as they belong into TrustedUserCAKeys')
    .addOption(jsonOption())
    .action(({ json }: JsonOption) =>
      withApp(async (app) => {
        const { authoritiesOf, countCertified } = await authority();
        const authorities = authoritiesOf(app.db);
        const vpss = countCertified(app.db);
        const { sshCaSigner, sshCaSourceAddress } = app.settings;
        if (json) {
          printJson({ signer: sshCaSigner, authorities, sourceAddress: sshCaSourceAddress, vpss });
          return;
        }
        if (sshCaSigner !== null) print(`An outside signer signs: ${sshCaSigner.join(' ')}`);
        else if (authorities.length === 0)
          throw new FailedError('the fleet has no SSH authority yet: wardround ca create');
        else print(linesOf(authorities));
        print(`${count(vpss, 'VPS')} ${vpss === 1 ? 'is' : 'are'} logged in to by certificate.`);
        if (sshCaSourceAddress !== null) print(`Certificates may be used from ${sshCaSourceAddress}.`);
      }),
    );

  command
    .command('rotate')
    .description('make the next authority, for hosts to trust it, too; again, it changes nothing')
    .option('--finish', 'let the next one sign from now on, and forget the former one')
    .addOption(jsonOption())
    .action(({ json, finish }: JsonOption & { finish?: true }) =>
      withApp(async (app) => {
        const { beginRotation, finishRotation } = await authority();
        const authorities = await (finish ? finishRotation : beginRotation)(app, LOCAL_OPERATOR);
        if (json) printJson(authorities);
        else {
          print(linesOf(authorities));
          print(
            finish
              ? '\nThe next one signs now. "wardround ca lines HOST" leaves the former one out from now on.'
              : '\nLet each host trust both ("wardround ca lines HOST"), then: wardround ca rotate --finish',
          );
        }
      }),
    );

  command
    .command('lines')
    .description('print the script that makes a VPS take the certificates of this fleet; idempotent, with its undo')
    .argument('<host|id>', 'host, host:port, or id')
    .addOption(jsonOption())
    .action((wanted: string, { json }: JsonOption) =>
      withApp(async (app) => {
        const { certificateLinesOf } = await import('../src/lib/fleet-admin/board.ts');
        const { id, host } = theVps(app, wanted);
        const lines = await certificateLinesOf(app, LOCAL_OPERATOR, id);
        if (lines === null) throw new FailedError(`${host} has a login key: wardround vps edit ${host} --certificate`);
        if (json) printJson(lines);
        else print(lines.script.trimEnd());
      }),
    );
}

const linesOf = (authorities: readonly Authority[]): string =>
  authorities
    .map(({ role, publicKey, createdAt }) =>
      [
        role === 'next' ? '# next, signs after "rotate --finish":' : '# signs:',
        `${publicKey} wardround-ca-${createdAt.toISOString().slice(0, 10)}`,
      ].join('\n'),
    )
    .join('\n');
