import { describe, expect, it } from 'vitest';
import { isFailedJob, readFailedRestart, readState } from './systemctl-answer.ts';

const said = (stderr: string, stdout = '', exitCode = 1) => ({ exitCode, stdout, stderr });
const restart = (stderr: string, exitCode = 1) =>
  readFailedRestart(said(stderr, '', exitCode), { service: 'rachel8', neverStarted: false });

describe('the answer to is-active', () => {
  it.each([
    ['active\n', 0],
    ['inactive\n', 3],
    ['  activating \n', 3],
  ])('is the word in %o', (stdout, exitCode) => {
    expect(readState(said('', stdout, exitCode))).toEqual({ kind: 'state', activeState: stdout.trim() });
  });

  it('is the word also where sudo has warned of something', () => {
    const warning = 'sudo: unable to resolve host vps1: Name or service not known\n';
    expect(readState(said(warning, 'active\n', 0))).toEqual({ kind: 'state', activeState: 'active' });
  });

  // Source: the translations of sudo 1.9.17, and the messages of sudo-rs 0.2.11.
  const COMMAND = '/usr/bin/systemctl is-active rachel8';
  it.each([
    'sudo: a password is required',
    'sudo: a terminal is required to read the password; either use the -S option or configure an askpass helper',
    'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.',
    'bash: line 1: sudo: command not found',
    'sh: 1: sudo: not found',
    'bash: Zeile 1: sudo: Kommando nicht gefunden.',
    'fish: Unknown command: sudo',
    `Sorry, user ward is not allowed to execute '${COMMAND}' as root on vps1.`,
    'ward is not in the sudoers file.',
    'Sorry, user ward may not run sudo on vps1.',
    'sudo: Ein Passwort ist notwendig',
    `Leider darf der Benutzer ward »${COMMAND}« als root auf vps1 nicht ausführen.`,
    '»ward« ist nicht in der sudoers-Datei.',
    `Désolé, l'utilisateur ward n'est pas autorisé à exécuter « ${COMMAND} » en tant que root sur vps1.`,
    "ward n'est pas dans le fichier sudoers.",
    'sudo: il est nécessaire de saisir un mot de passe',
    `残念ですが、ユーザー ward は'${COMMAND}' を root として vps1 上で実行することは許可されていません。`,
    'ward は sudoers ファイルにありません。',
    'ward отсутствует в файле sudoers.',
    `Извините, пользователю ward не разрешено выполнять «${COMMAND}» как root на vps1.`,
    'Üzgünüm, ward kullanıcısı vps1 üzerinde sudoyu çalıştıramayabilir.',
    'Извините, корисник ward не може покренути судо на vps1.',
    "sudo: I'm sorry ward. I'm afraid I can't do that",
    'sudo: interactive authentication is required',
    'sudo: A terminal is required to authenticate',
    'sudo: Account expired or locked',
    'We trust you have received the usual lecture from the local System Administrator.\n\nsudo: a password is required',
  ])('is a refusal by sudo in %o', (stderr) => {
    expect(readState(said(`${stderr}\n`))).toMatchObject({ kind: 'sudo_refused' });
    expect(restart(`${stderr.replace('is-active', 'restart')}\n`)).toMatchObject({ code: 'restart_refused' });
  });

  it.each([
    ['Failed to connect to bus: No such file or directory', /^systemd could not be asked: Failed to connect to bus/],
    ['sudo: unable to resolve host x\nFailed to connect to bus: Datei nicht gefunden', /^systemd could not be asked/],
    [
      "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down",
      /^systemd could not be asked: System has not been booted/,
    ],
    ['sudo: systemctl: command not found', /exit code 1: sudo: systemctl/],
    ["sudo: 'systemctl': command not found", /exit code 1: sudo: 'systemctl'/],
    ['This account is currently not available.', /exit code 1: This account/],
    ['', /exit code 1: nothing$/],
  ])('is a machine to be mended in %o, and no refusal by sudo', (stderr, message) => {
    expect(readState(said(stderr))).toEqual({ kind: 'odd_answer', message: expect.stringMatching(message) });
  });

  it.each([
    'Welcome to Ubuntu 24.04 LTS\n\n * Documentation: https://help.ubuntu.com\n\nactive\n',
    'stty: something\r\nactive\r\n',
    `${'x'.repeat(60_000)}\ninactive\n`,
  ])('is none where text comes before the word, which says how to mend it', (stdout) => {
    expect(readState(said('', stdout, 0))).toEqual({
      kind: 'odd_answer',
      message: expect.stringMatching(
        /^the login prints text before every answer \(.*\): let its start files print for/,
      ),
    });
  });
});

describe('a restart that did not work', () => {
  it.each([
    ['Failed to restart rachel8.service: Unit rachel8.service not found.', 'unit_missing'],
    [
      'sudo: unable to resolve host x\nFailed to restart rachel8.service: Unit rachel8.service not found.',
      'unit_missing',
    ],
    ['Failed to restart rachel8.service: Unit rachel8.service is masked.', 'unit_masked'],
    ['Job for rachel8.service failed because start of the service was attempted too often.', 'start_limit'],
    ['Job for rachel8.service failed because the control process exited with error code.', 'restart_failed'],
    ['sudo: unable to resolve host x\nA dependency job for rachel8.service failed.', 'restart_failed'],
    ['Failed to connect to bus: No such file or directory', 'restart_failed'],
    ['', 'restart_failed'],
  ])('%o is %s', (stderr, code) => {
    expect(restart(stderr)).toMatchObject({ code });
  });

  it('whose job failed though nothing was started has met the start limit', () => {
    const answer = said('Job for rachel8.service failed because the control process exited with error code.\n');
    expect(isFailedJob(answer)).toBe(true);
    expect(readFailedRestart(answer, { service: 'rachel8', neverStarted: true })).toMatchObject({
      code: 'start_limit',
    });
  });
});

it('reads 64 KiB made for its patterns in no time', () => {
  const texts = [
    'Failed to restart : Unit ',
    'sudo: ',
    ': Unit ',
    'Job for ',
    "sudo: 'systemctl",
    ' not found',
    '\u001b[',
    '=',
  ];
  for (const text of texts.map((one) => one.repeat(64 * 1024).slice(0, 64 * 1024))) {
    const startedAt = performance.now();
    readState(said(text, text));
    restart(text);
    isFailedJob(said(text));
    expect(performance.now() - startedAt).toBeLessThan(100);
  }
});
