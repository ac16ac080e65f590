ALTER TABLE `notifications` ADD `last_attempt_at` integer;--> statement-breakpoint
ALTER TABLE `notifications` ADD `may_have_arrived` integer DEFAULT false NOT NULL;--> statement-breakpoint
UPDATE `notifications` SET `may_have_arrived` = true, `last_error` = substr(`last_error`, length('may have arrived: ') + 1) WHERE `last_error` LIKE 'may have arrived: %';
