CREATE TABLE `delivery_troubles` (
	`lane` text PRIMARY KEY NOT NULL,
	`channel` text NOT NULL,
	`user_id` text,
	`since` integer NOT NULL,
	`failures` integer NOT NULL,
	`refusals` integer NOT NULL,
	`reason` text NOT NULL,
	`told_at` integer,
	`switched_off_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
ALTER TABLE `notifications` ADD `last_attempt_at` integer;--> statement-breakpoint
ALTER TABLE `notifications` ADD `may_have_arrived` integer DEFAULT false NOT NULL;--> statement-breakpoint
UPDATE `notifications` SET `may_have_arrived` = true, `last_error` = substr(`last_error`, length('may have arrived: ') + 1) WHERE `last_error` LIKE 'may have arrived: %';
