import type { Command } from 'commander';
import { createAdmin, listAdmins, removeAdmin } from '../src/lib/auth/accounts.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { inviteUser } from '../src/lib/auth/password.ts';
import { confirmUnless, FailedError, jsonOption, withApp, type JsonOption } from './context.ts';
import { refuse } from './options.ts';
import { print, printJson } from './output.ts';
import { readNewPassword } from './password-prompt.ts';

type CreateOptions = JsonOption & { email: string; name?: string; passwordStdin?: true };

const LAST_ADMIN = 'this is the last admin; create another one first: wardround admin create --email EMAIL';

/** `wardround admin …`. */
export function fillAdmin(admin: Command): void {
  admin
    .command('create')
    .description('add an admin; asks for the password')
    .requiredOption('--email <email>', 'the address to sign in with')
    .option('--name <name>', 'a name to be shown')
    .option('--password-stdin', 'read the password from standard input instead of asking')
    .addOption(jsonOption())
    .action(({ email, name = '', passwordStdin, json }: CreateOptions) =>
      withApp(async (app) => {
        const password = await readNewPassword(passwordStdin === true);
        const result = await createAdmin(app, LOCAL_OPERATOR, { email, name, password });
        switch (result.kind) {
          case 'refused':
            return refuse(result.problems);
          case 'email_taken':
            throw new FailedError(`${email} has an account already; give another address`);
          case 'created':
            if (json) printJson({ id: result.userId, email: email.trim().toLowerCase() });
            else print(`${email} is an admin now. Sign in at ${app.settings.siteUrl}/sign-in`);
        }
      }, 'begin'),
    );

  admin
    .command('list')
    .description('every admin')
    .addOption(jsonOption())
    .action(({ json }: JsonOption) =>
      withApp((app) => {
        const admins = listAdmins(app, LOCAL_OPERATOR);
        if (json) printJson(admins);
        else if (admins.length === 0) print('There is no admin. Create one: wardround admin create --email EMAIL');
        else
          for (const { email, name, secondFactor } of admins)
            print(`${email}${name === null ? '' : `  ${name}`}  ${secondFactor ? 'second factor' : 'password only'}`);
      }),
    );

  admin
    .command('remove')
    .description('take the rights of an admin away, at once; the account goes too, unless a VPS belongs to it')
    .argument('<email>', 'whose')
    .option('--yes', 'do not ask')
    .addOption(jsonOption())
    .action((email: string, { yes, json }: JsonOption & { yes?: true }) =>
      withApp(async (app) => {
        await confirmUnless(yes === true || json === true, `Remove the admin ${email}?`);
        const result = await removeAdmin(app, LOCAL_OPERATOR, email);
        switch (result.kind) {
          case 'not_found':
            throw new FailedError(`there is no admin ${email}; "wardround admin list" shows them all`);
          case 'last_admin':
            throw new FailedError(LAST_ADMIN);
          case 'removed':
          case 'demoted':
            if (json) printJson({ ...result, email });
            else
              print(
                result.kind === 'removed'
                  ? `${email} is gone.`
                  : `${email} is no admin any more, but a customer: a VPS belongs to the account.`,
              );
        }
      }),
    );
}

/** `wardround user …`. */
export function fillUser(user: Command): void {
  user
    .command('invite')
    .description('a link with which a user sets a password, the first or a new one; works once, for 7 days')
    .argument('<email>', 'whose')
    .addOption(jsonOption())
    .action((email: string, { json }: JsonOption) =>
      withApp(async (app) => {
        const result = await inviteUser(app, LOCAL_OPERATOR, email, new Date());
        if (result.kind === 'unknown_user')
          throw new FailedError(
            `there is no user ${email}; "wardround vps add" makes customers, "wardround admin create" admins`,
          );
        const { link, expiresAt, mail } = result;
        if (json) printJson({ email, link, expiresAt, mailed: mail === 'sent' });
        else {
          print(link);
          print(mail === 'sent' ? `Mailed to ${email}.` : `Not mailed: send it to ${email} yourself.`);
        }
        if (mail instanceof Error) console.error(`error: the mail could not be sent (${mail.message})`);
      }),
    );
}
