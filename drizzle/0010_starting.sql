ALTER TABLE `health_checks` ADD `starting_invocation` text;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `starting_since` integer;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `starting_until` integer;