ALTER TABLE `health_checks` ADD `link_kind` text;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `link_since` integer;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `link_limit` text;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `link_detail` text;--> statement-breakpoint
ALTER TABLE `health_checks` ADD `link_news_at` integer;