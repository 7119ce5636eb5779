"""The admin's pages of what is not ours: staff, groups, the schedule and the log, in Unfold's dress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models.signals import post_migrate
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from channels.admin.desk import BaseAdmin, Desk
from config.admin.groups import keep_groups

if TYPE_CHECKING:
    BeatTaskForm = Any

    class BeatTaskAdmin(BaseAdmin):
        """A type checker's view of it."""
else:
    BeatTaskForm = beat.PeriodicTaskForm

    class BeatTaskAdmin(beat.PeriodicTaskAdmin, BaseAdmin):
        """The package's page in Unfold's dress."""


for _model in (User, Group, PeriodicTask, ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(User)
class StaffAdmin(UserAdmin, BaseAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """People who work here. Their groups say what they may do."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")


@admin.register(Group)
class StaffGroupAdmin(GroupAdmin, BaseAdmin):
    """Sets of permissions; editor, operator and auditor are kept as docs/admin.md says at every migrate."""


class _TaskForm(BeatTaskForm):  # type: ignore[misc]  # the package is untyped
    """A task of the schedule, chosen from the registered ones or written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Dress the two fields that are not the model's."""
        super().__init__(*args, **kwargs)
        self.fields["regtask"].widget = UnfoldAdminSelectWidget(choices=self.fields["regtask"].widget.choices)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()


@admin.register(PeriodicTask)
class ScheduleAdmin(BeatTaskAdmin):
    """What runs when."""

    form = _TaskForm
    # Its own page adds an inline script, which the content policy refuses.
    change_form_template = None

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Running, enabling and disabling tasks, for those who may change them: the package asks nobody."""
        return super().get_actions(request) if self.has_change_permission(request) else {}


@admin.register(ClockedSchedule)
@admin.register(CrontabSchedule)
@admin.register(IntervalSchedule)
@admin.register(SolarSchedule)
class TimesAdmin(BaseAdmin):
    """When something of the schedule runs."""


@admin.register(LogEntry)
class LogDesk(Desk):
    """Who did what in the admin; nobody can change it here."""

    heading = "Log"
    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_filter = ("content_type", "user")
    list_display_links = None
    list_select_related = ("user", "content_type")
    ordering = ("-pk",)
    show_full_result_count = False
    paginator = InfinitePaginator

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The log is written by the pages alone."""
        del request, obj
        return False


# The last of our apps whose permissions the groups are made of.
post_migrate.connect(keep_groups, sender=apps.get_app_config("campaigns"), dispatch_uid="config.groups")
