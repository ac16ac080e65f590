CREATE TABLE `ssh_authorities` (
	`id` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`private_key` text NOT NULL,
	`public_key` text NOT NULL,
	`created_at` integer DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER)) NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `ssh_authorities_role_unique` ON `ssh_authorities` (`role`);--> statement-breakpoint
ALTER TABLE `subscriptions` ADD `ssh_login` text DEFAULT 'key' NOT NULL;