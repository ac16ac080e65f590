ALTER TABLE `monitor_state` ADD `swept_at` integer;--> statement-breakpoint
ALTER TABLE `monitor_state` ADD `sweep_fault` text;--> statement-breakpoint
ALTER TABLE `monitor_state` ADD `sweep_failed_at` integer;